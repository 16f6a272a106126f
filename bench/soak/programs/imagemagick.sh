# ImageMagick, with its threads: makes a picture and works on it in several ways. Every pixel is compared.
needs convert
convert -seed 7 -size 400x300 plasma:red-blue picture.png
for work in '-blur 0x4' '-resize 50% -sharpen 0x1' '-rotate 33' '-colorspace gray -edge 1' \
  '-implode 0.4 -swirl 90' '-quality 80 -posterize 8'; do
  # shellcheck disable=SC2086
  convert picture.png $work -depth 8 rgb:- | sha256sum
done
convert picture.png nothing:/there 2>&1 >/dev/null | sed 's/ @.*//' || true

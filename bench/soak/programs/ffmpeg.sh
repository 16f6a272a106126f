# ffmpeg: makes a film with sound, encodes, filters and decodes it, with threads. Every frame's checksum is compared.
needs ffmpeg
quietly="ffmpeg -nostdin -hide_banner -loglevel error -bitexact -threads 2"
$quietly -f lavfi -i testsrc=duration=2:size=320x240:rate=25 -f lavfi -i sine=duration=2 \
  -flags bitexact -fflags bitexact -c:v mpeg4 -c:a flac film.mkv
$quietly -i film.mkv -vf 'scale=160:120,hue=h=90,unsharp' -an -f framemd5 - | grep -v '^#software'
$quietly -i film.mkv -vn -af 'aecho=0.8:0.9:40:0.3,aresample=22050' -f framemd5 - | grep -v '^#software' | tail -n 3
$quietly -i film.mkv \
  -flags bitexact -c:v ffv1 -an other.mkv
$quietly -i other.mkv -f md5 -
ffmpeg -nostdin -loglevel error -i nothing.mkv -f null - 2>&1 || echo "exit $?"

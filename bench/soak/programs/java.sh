# javac, and a program with threads, direct buffers, zip streams and a garbage collector at work, under two collectors.
needs javac java
cp "$SOAK_PROGRAMS/Soak.java" .
javac Soak.java
for collector in -XX:+UseSerialGC -XX:+UseG1GC; do
  java -Xmx256m "$collector" Soak && echo "exit 0" || echo "exit $?"
done

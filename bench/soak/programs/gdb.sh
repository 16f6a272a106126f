# gdb on a program of its own: breakpoints, a stack, calls of functions in it.
# Compared: what gdb says, without process ids and addresses.
needs gdb gcc
printf '%b' '#include <stdlib.h>\n' \
  'int f(int n) { return n ? f(n - 1) + 1 : (int)(long)malloc(3) * 0; }\n' \
  'int main(void) { return f(20) - 13; }\n' >program.c
gcc -g -O0 -o program program.c
gdb -nx -q -batch -ex 'break f if n == 0' -ex run -ex backtrace -ex 'print f(3)' -ex 'info locals' -ex continue \
  -ex 'python print(sum(range(1000)))' \
  ./program 2>&1 | sed -E 's/process [0-9]+/process/; s/0x[0-9a-f]+/0x/g'

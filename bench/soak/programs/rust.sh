# rustc, and a program with threads, channels, panics that are caught, and collections.
needs rustc
cp "$SOAK_PROGRAMS/soak.rs" .
rustc -O -C codegen-units=2 soak.rs
./soak 2>panics || echo "exit $?"
grep -ac 'panicked at' panics
RUST_BACKTRACE=1 ./soak 2>panics || echo "exit $?"
grep -ac 'panicked at' panics

# A C++ program that throws some hundred thousand exceptions, through many frames and from several threads at once.
needs g++
g++ -O2 -std=c++17 -pthread -o exceptions "$SOAK_PROGRAMS/exceptions.cc"
./exceptions

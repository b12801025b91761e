#include <hindsight/autograd/tensor/blas.h>

#include <cstdio>

int main() { std::printf("products by %s\n", hindsight::blas::info().backend.c_str()); }

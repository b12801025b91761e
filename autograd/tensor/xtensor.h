#pragma once
/// The one place that includes xtensor: its headers moved into folders in version 0.26. These are
/// looked for first: of two versions, the newer one is the one that somebody installed on purpose.

// First: xtensor brings xsimd in, whose warnings are reset in simd.h, and uses its exp.
#include <hindsight/autograd/tensor/simd_math.h>

#if __has_include(<xtensor/containers/xadapt.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/views/xstrided_view.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xstrided_view.hpp>
#endif

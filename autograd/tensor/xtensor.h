#pragma once
/// The only file that includes xtensor, whose headers moved into folders in version 0.26. Those are
/// looked for first: of two installed versions, the newer one was installed on purpose.

// Included first: xtensor includes xsimd, whose warnings simd.h silences, and uses its exp.
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

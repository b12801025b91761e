#include <hindsight/autograd/elementwise/elementwise.h>

namespace hindsight::detail {

#define HINDSIGHT_DEFINE_LOOPS(i, T)                                                     \
  template void forward_loop<common::At<i>, T>(const void*, const ForwardRows&);         \
  template void backward_loop<common::At<i>, T>(const void*, const BackwardRows&);       \
  template void tangent_forward_loop<common::At<i>, T>(const void*, const ForwardRows&); \
  template void tangent_backward_loop<common::At<i>, T>(const void*, const BackwardRows&);
#define HINDSIGHT_DEFINE(i)                                                                 \
  HINDSIGHT_DEFINE_LOOPS(i, float)                                                          \
  HINDSIGHT_DEFINE_LOOPS(i, double)                                                         \
  template void differentiate<common::At<i>>(const void*, const Variable*, const Variable&, \
                                             Variable*);

HINDSIGHT_FOR_COMMON(HINDSIGHT_DEFINE)

}  // namespace hindsight::detail

/** ONNX Runtime through its C API: sessions, bindings and tensors over memory we own. */
export { Binding } from './binding.ts'
export { runtimeVersion } from './library.ts'
export { createPrepackedWeights, PrepackedWeights } from './prepacked-weights.ts'
export { setProcessSessionConfig } from './session-options.ts'
export { Session, type SessionOptions } from './session.ts'
export { createTensor, Tensor, type ElementType, type TensorData } from './tensor.ts'
export type { ValueInfo } from './value-info.ts'

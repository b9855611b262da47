/**
 * Copies between tensors wherever they lie: a graph of one node that leaves its input as it is, run on the device. ONNX
 * Runtime's C API has no call that copies for all devices.
 */
import type { Device } from '../../schemas/device.ts'
import { fail } from '../errors.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { createBuilder } from '../ops/builder.ts'
import { DeviceTensor } from './device-tensor.ts'
import { Session } from './session.ts'
import { createTensor, elementCount, type Tensor } from './tensor.ts'

export type CopyType = 'float32' | 'float16'
type AnyTensor = Tensor<CopyType> | DeviceTensor<CopyType>

export class DeviceCopier {
  readonly #session: Session

  private constructor(session: Session) {
    this.#session = session
  }

  /** For tensors of one type. */
  static async create(device: Device, type: CopyType): Promise<DeviceCopier> {
    const b = createBuilder('copy')
    const x = b.input('x', type, ['n'])
    b.output('y', b.op('Reshape', [x], { shape: [-1], dims: ['n'] }))
    const model = encodeModel(b.build())
    // Optimised, the graph would be empty.
    const graphOptimizationLevel = 'disabled'
    return new DeviceCopier(await Session.create({ model, device, graphOptimizationLevel }))
  }

  /** Both hold the same number of elements. */
  async copy(from: AnyTensor, to: AnyTensor): Promise<void> {
    if (elementCount(from.dims) !== elementCount(to.dims))
      fail('INTERNAL', `internal: copying [${from.dims}] to [${to.dims}]`)
    const binding = this.#session.createBinding()
    try {
      binding.bindInput('x', flat(from))
      binding.bindOutput('y', flat(to))
      await this.#session.run(binding)
    } finally {
      binding.dispose()
    }
  }

  dispose(): void {
    this.#session.dispose()
  }
}

const flat = (tensor: AnyTensor): AnyTensor => {
  const dims = [elementCount(tensor.dims)]
  return tensor instanceof DeviceTensor
    ? tensor.view(dims)
    : createTensor(tensor.type, dims, tensor.data)
}

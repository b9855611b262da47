/** What a model's graphs compute in on a device. */
import { openModel } from '../arch/index.ts'
import { FULL_PRECISION, type Precision } from '../arch/serving-graphs.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { createBuilder } from '../ops/builder.ts'
import { createTensor, Session, type Device } from '../ort/index.ts'

export interface DevicePlan extends Precision {
  readonly device: Device
}

export const HOST_PLAN: DevicePlan = { device: 'cpu', ...FULL_PRECISION }

/**
 * Float32 on the processor. On the others float16 for weights that are stored so (bfloat16 has a range that float16 has
 * not, so it becomes float32) where the device has it; CUDA's attention kernel knows no float32.
 */
export async function planDevice(modelDir: string, device: Device): Promise<DevicePlan> {
  if (device === 'cpu') return HOST_PLAN
  const isHalf = (await isStoredAsFloat16(modelDir)) && (await computesFloat16(device))
  const float = isHalf ? 'float16' : 'float32'
  return { device, float, attention: device === 'cuda' ? 'float16' : float }
}

async function isStoredAsFloat16(modelDir: string): Promise<boolean> {
  const { checkpoint } = await openModel(modelDir)
  await checkpoint.close()
  const floats = [...checkpoint.tensors.values()].filter(({ entry }) => entry.dtype !== 'U8')
  return floats.length > 0 && floats.every(({ entry }) => entry.dtype === 'F16')
}

const known = new Map<Device, boolean>()

/** By trying: WebGPU's adapters may lack it. */
async function computesFloat16(device: Device): Promise<boolean> {
  const found = known.get(device)
  if (found !== undefined) return found
  const b = createBuilder('half', 'float16')
  const x = b.input('x', 'float16', ['n'])
  b.output('y', b.op('Add', [x, b.scalar(1)], {}))
  const model = encodeModel(b.build())
  const computes = await runsHalf(model, device)
  known.set(device, computes)
  return computes
}

async function runsHalf(model: Uint8Array, device: Device): Promise<boolean> {
  const session = await Session.create({ model, device })
  const binding = session.createBinding()
  try {
    binding.bindInput('x', createTensor('float16', [1]))
    binding.bindOutput('y', createTensor('float16', [1]))
    await session.run(binding)
    return true
  } catch {
    return false
  } finally {
    binding.dispose()
    session.dispose()
  }
}

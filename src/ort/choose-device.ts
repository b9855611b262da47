/**
 * Which device a process computes on: the one that was asked for, or else the best that there is. What is there is found
 * by trying it: a product of matrices on the device must be right, and faster than on the processor, which keeps away
 * from drivers that compute on the processor themselves.
 */
import { readdirSync } from 'node:fs'
import type { Device } from '../../schemas/device.ts'
import { SteerError } from '../errors.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { createBuilder } from '../ops/builder.ts'
import type { Accelerator } from './device.ts'
import { Session } from './session.ts'
import { createTensor } from './tensor.ts'

export interface ChosenDevice {
  readonly device: Device
  /** Why this one, for the log. */
  readonly why: string
}

/** In order of preference. */
const CANDIDATES: readonly Accelerator[] = ['cuda', 'webgpu']

/** Fails DEVICE_UNAVAILABLE when the device asked for is not there. */
export async function chooseDevice(asked?: Device): Promise<ChosenDevice> {
  if (asked === 'cpu') return { device: 'cpu', why: 'asked for' }
  if (asked) {
    await timeProduct(asked)
    return { device: asked, why: 'asked for' }
  }
  const reasons: string[] = []
  for (const device of CANDIDATES) {
    const reason = await reasonAgainst(device)
    if (typeof reason !== 'string') return { device, why: reason.why }
    reasons.push(reason)
  }
  return { device: 'cpu', why: reasons.join('; ') }
}

async function reasonAgainst(device: Accelerator): Promise<string | { why: string }> {
  if (!hasGpu()) return `${device}: this process sees no GPU`
  try {
    const [there, here] = [await timeProduct(device), await timeProduct('cpu')]
    const times = `a product took ${there.ms.toFixed(1)} ms, on the processor ${here.ms.toFixed(1)}`
    if (!agree(there.result, here.result)) return `${device}: its product is wrong`
    return there.ms < here.ms ? { why: times } : `${device}: ${times}`
  } catch (error) {
    return error instanceof SteerError ? error.detail : `${device}: ${String(error)}`
  }
}

/** Whether trying is worth the time. On Linux a GPU has a node in /dev, which containers get only when they are given it. */
export function hasGpu(platform: NodeJS.Platform = process.platform, dev = '/dev'): boolean {
  if (platform !== 'linux') return true
  const names = (folder: string) => {
    try {
      return readdirSync(folder)
    } catch {
      return []
    }
  }
  return (
    names(dev).some((name) => /^(nvidia\d+|dxg)$/.test(name)) ||
    names(`${dev}/dri`).some((name) => name.startsWith('renderD'))
  )
}

/** Rows and columns: 0.5 GFLOP, a few milliseconds of a processor. */
const [ROWS, SIZE] = [128, 1024]
const RUNS = 3

/** The best of a few runs after a first one, which compiles kernels. */
async function timeProduct(device: Device): Promise<{ ms: number; result: Float32Array }> {
  const b = createBuilder('probe')
  const [x, w] = [b.input('x', 'float32', [ROWS, SIZE]), b.input('w', 'float32', [SIZE, SIZE])]
  b.output('y', b.op('MatMul', [x, w], {}))
  const session = await Session.create({ model: encodeModel(b.build()), device })
  const binding = session.createBinding()
  try {
    const values = (rows: number, step: number) =>
      createTensor('float32', [rows, SIZE], Float32Array.from({ length: rows * SIZE }, (_, i) => ((i * step) % 17) - 8)) // prettier-ignore
    binding.bindInput('x', values(ROWS, 5))
    binding.bindInput('w', values(SIZE, 7))
    const result = new Float32Array(ROWS * SIZE)
    binding.bindOutput('y', createTensor('float32', [ROWS, SIZE], result))
    await session.run(binding)
    let ms = Infinity
    for (let i = 0; i < RUNS; i += 1) {
      const started = performance.now()
      await session.run(binding)
      ms = Math.min(ms, performance.now() - started)
    }
    return { ms, result }
  } finally {
    binding.dispose()
    session.dispose()
  }
}

/** The factors are small whole numbers, so a product is exact but for the rounding of reduced types. */
const agree = (a: Float32Array, b: Float32Array): boolean =>
  a.every((value, i) => Math.abs(value - b[i]!) <= 1 + 0.01 * Math.abs(b[i]!))

/**
 * Loads on the device asked for, or on the best. Where the choice is ours and loading fails there, the processor takes
 * over. `log` gets one line that says which device it is, and why.
 */
export async function onDevice<T>(
  asked: Device | undefined,
  load: (device: Device) => Promise<T>,
  log: (line: string) => void,
): Promise<T> {
  const { device, why } = await chooseDevice(asked)
  try {
    const loaded = await load(device)
    log(`device: ${device} (${why})`)
    return loaded
  } catch (error) {
    const isOurs = asked === undefined && device !== 'cpu' && error instanceof SteerError
    if (!isOurs) throw error
    log(`device: cpu (${device}: ${error.detail})`)
    return load('cpu')
  }
}

/** Which device is taken where no GPU is, and what is said of one that cannot be had. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { SteerError } from '../../src/errors.ts'
import { chooseDevice, hasGpu, onDevice } from '../../src/ort/choose-device.ts'
import { locateLibrary } from '../../src/ort/locate-library.ts'

const cudaLibrary = join(dirname(locateLibrary()), 'libonnxruntime_providers_cuda.so')
const hasCuda = existsSync(cudaLibrary) && 'the CUDA libraries are installed'
const seesGpu = hasGpu() && 'there is a GPU'

t.test('a GPU shows in /dev', async (t) => {
  const dev = t.testdir()
  t.equal(hasGpu('linux', dev), false)
  mkdirSync(join(dev, 'dri'))
  t.equal(hasGpu('linux', dev), false, 'a folder without a node')
  writeFileSync(join(dev, 'dri/renderD128'), '')
  t.equal(hasGpu('linux', dev), true)
  const nvidia = t.testdir({ nvidia0: '' })
  t.equal(hasGpu('linux', nvidia), true)
})

t.test('without a GPU it is the processor, and the line says why', { skip: seesGpu }, async (t) => {
  const lines: string[] = []
  t.equal(await onDevice(undefined, async (device) => device, (line) => lines.push(line)), 'cpu') // prettier-ignore
  t.match(lines, [/^device: cpu \(cuda: this process sees no GPU; webgpu: .*\)$/])
  t.same(await chooseDevice('cpu'), { device: 'cpu', why: 'asked for' })
})

t.test(
  'CUDA that is not installed: what is missing, and the command',
  { skip: hasCuda },
  async (t) => {
    await t.rejects(chooseDevice('cuda'), { code: 'DEVICE_UNAVAILABLE', detail: /^cuda: .*/ })
    const error = await chooseDevice('cuda').catch((found: unknown) => found)
    t.ok(error instanceof SteerError)
    if (process.platform === 'linux' && process.arch === 'x64')
      t.match(error, { status: 400, detail: /providers_cuda\.so is not in .*script\/install\.js/ })
  },
)

t.test('what fails on a device that was asked for fails', async (t) => {
  const load = async () => {
    throw new SteerError('BAD_CHECKPOINT', 'broken')
  }
  await t.rejects(
    onDevice('cpu', load, () => {}),
    { code: 'BAD_CHECKPOINT' },
  )
})

/** `--device`, alike in all commands that run a model; STEERLM_DEVICE stands for it where it is not given. */
import { DEVICES, type Device } from '../../schemas/device.ts'
import { fail } from '../errors.ts'
import { chooseDevice, hasGpu, onDevice } from '../ort/index.ts'

export const deviceFlag = {
  device: {
    type: 'string',
    choices: DEVICES,
    help: 'cpu, webgpu or cuda (STEERLM_DEVICE); default: the best there is',
  },
} as const

/** Loads something on the device of the flag, or the best there is; says which on stderr where there was a choice. */
export function loadOnDevice<T>(
  flag: string | undefined,
  load: (device: Device) => Promise<T>,
): Promise<T> {
  const asked = deviceOf(flag)
  return onDevice(asked, load, (line) => sayDevice(asked, line))
}

/** Without a GPU there is nothing to choose, and a line would only stand between the user and what went wrong. */
function sayDevice(asked: Device | undefined, line: string): void {
  if (asked !== 'cpu' && (asked !== undefined || hasGpu())) process.stderr.write(`${line}\n`)
}

export function deviceOf(flag: string | undefined): Device | undefined {
  const asked = flag ?? process.env['STEERLM_DEVICE']
  if (asked === undefined || asked === '') return undefined
  const known = DEVICES.find((device) => device === asked)
  return known ?? fail('BAD_ARGUMENT', `STEERLM_DEVICE: expected ${DEVICES.join(', ')}, got "${asked}"`) // prettier-ignore
}

/** A training is not begun a second time elsewhere when it fails. */
export async function trainOnDevice<T>(
  flag: string | undefined,
  train: (device: Device) => Promise<T>,
): Promise<T> {
  const asked = deviceOf(flag)
  const { device, why } = await chooseDevice(asked)
  sayDevice(asked, `device: ${device} (${why})`)
  return train(device)
}

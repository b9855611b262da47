/** `--device`, alike in all commands that run a model; STEERLM_DEVICE stands for it where it is not given. */
import { DEVICES, type Device } from '../../schemas/device.ts'
import { fail } from '../errors.ts'
import { chooseDevice, onDevice } from '../ort/index.ts'

export const deviceFlag = {
  device: {
    type: 'string',
    choices: DEVICES,
    help: 'cpu, webgpu or cuda (STEERLM_DEVICE); default: the best there is',
  },
} as const

/** Loads something on the device of the flag, or the best there is; says which in a line on stderr. */
export function loadOnDevice<T>(
  flag: string | undefined,
  load: (device: Device) => Promise<T>,
): Promise<T> {
  return onDevice(deviceOf(flag), load, (line) => process.stderr.write(`${line}\n`))
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
  const { device, why } = await chooseDevice(deviceOf(flag))
  process.stderr.write(`device: ${device} (${why})\n`)
  return train(device)
}

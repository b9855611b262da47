/**
 * A container in which sessions share weights that kernels rearranged for themselves. It shares only
 * weights given as `initializers`; without it every session keeps a rearranged copy of its own.
 */
import { loadRuntime } from './library.ts'
import { NativeHandle } from './native-handle.ts'
import { read } from './status.ts'

export class PrepackedWeights {
  /** For sessions, which hold it until they are released. */
  readonly handle: NativeHandle

  /** Use `createPrepackedWeights()`. */
  constructor() {
    const { api } = loadRuntime()
    const container = read<bigint>('creating a container of prepacked weights', (out) =>
      api.createPrepackedWeightsContainer(out),
    )
    this.handle = new NativeHandle('the container of prepacked weights', container, (pointer) =>
      api.releasePrepackedWeightsContainer(pointer),
    )
  }

  /** Released when the last session that uses it is. */
  dispose(): void {
    this.handle.dispose()
  }
}

export const createPrepackedWeights = (): PrepackedWeights => new PrepackedWeights()

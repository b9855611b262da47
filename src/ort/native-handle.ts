/**
 * One native object with a life: released exactly once, when its owner has let go of it and no run
 * uses it any more. ONNX Runtime crashes on use after release, on a second release, and when a
 * binding goes away under a run; every one of those ends here as an error or as nothing.
 */
import { fail } from '../errors.ts'
import type { Pointer } from './library.ts'

export class NativeHandle {
  readonly #what: string
  readonly #pointer: Pointer
  readonly #release: (pointer: Pointer) => void
  #users = 0
  #disposed = false

  /** `what` names the object in errors: "the session". */
  constructor(what: string, pointer: Pointer, release: (pointer: Pointer) => void) {
    this.#what = what
    this.#pointer = pointer
    this.#release = release
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** The pointer, for a call that returns before anything else can run. */
  get pointer(): Pointer {
    if (this.#disposed) fail('RUNTIME_ERROR', `${this.#what} was used after dispose()`)
    return this.#pointer
  }

  /** Keeps the object alive, dispose() or not, until the function given back is called. */
  acquire(): () => void {
    void this.pointer
    this.#users++
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#users--
      this.#releaseIfUnused()
    }
  }

  /** From here on every use throws. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#releaseIfUnused()
  }

  #releaseIfUnused(): void {
    if (this.#disposed && this.#users === 0) this.#release(this.#pointer)
  }
}

/**
 * The means to stop runs in flight: each has its OrtRunOptions, whose terminate flag ONNX Runtime
 * looks at between kernels. When the process exits, all runs are stopped, because Node waits for
 * its pool threads and would otherwise exit only after the longest run.
 */
import { loadRuntime, type Pointer } from './library.ts'
import { check, read } from './status.ts'

export interface RunControl {
  readonly options: Pointer
  stop(): void
  /** After the run. */
  release(): void
}

const active = new Set<RunControl>()

function stopAll(): void {
  for (const control of active) control.stop()
}

export function createRunControl(): RunControl {
  const { api } = loadRuntime()
  const options = read<Pointer>('creating run options', (out) => api.createRunOptions(out))
  const control: RunControl = {
    options,
    stop: () => check(api.runOptionsSetTerminate(options), 'stopping a run'),
    release() {
      active.delete(control)
      api.releaseRunOptions(options)
      if (active.size === 0) process.off('exit', stopAll)
    },
  }
  if (active.size === 0) process.on('exit', stopAll)
  active.add(control)
  return control
}

/** Progress of long work: to the host of a job, else a bar on a terminal, else a line at intervals. On standard error. */
import { Presets, SingleBar } from 'cli-progress'
import { workHost, type WorkHost } from './work-host.ts'

export interface Progress {
  update(done: number, note?: string): void
  stop(): void
}

export interface ProgressOptions {
  readonly label: string
  readonly total: number
  readonly unit?: string
  readonly stream?: NodeJS.WriteStream
  /** Time between lines where there is no terminal. */
  readonly intervalMs?: number
}

function bar({ label, total, unit = '' }: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const format = `${label} {bar} {percentage}% | {value}/{total} ${unit} | {eta_formatted} left | {note}`
  const single = new SingleBar({ format, stream, hideCursor: true }, Presets.shades_classic)
  single.start(total, 0, { note: '' })
  return { update: (done, note = '') => single.update(done, { note }), stop: () => single.stop() }
}

function lines(options: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const { label, total, unit = '', intervalMs = 10_000 } = options
  let last = performance.now()
  return {
    update(done, note = '') {
      const now = performance.now()
      if (done < total && now - last < intervalMs) return
      last = now
      stream.write(`${label} ${done}/${total} ${unit} ${note}`.trimEnd() + '\n')
    },
    stop() {},
  }
}

function reported({ total, unit = '', label }: ProgressOptions, host: WorkHost): Progress {
  const report = (done: number, note: string) =>
    host.progress({ done, total, unit, note: note === '' ? label : `${label}: ${note}` })
  report(0, '')
  return { update: (done, note = '') => report(done, note), stop() {} }
}

export function createProgress(options: ProgressOptions): Progress {
  const host = workHost()
  if (host) return reported(options, host)
  const stream = options.stream ?? process.stderr
  return stream.isTTY ? bar(options, stream) : lines(options, stream)
}

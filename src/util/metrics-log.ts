/** JSON lines appended to a file, each written before the next is taken (`--log-jsonl`), and told to the host of a job. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { fail } from '../errors.ts'
import { workHost } from './work-host.ts'

export interface MetricsLog {
  write(row: Readonly<object>): void
  close(): void
}

/** Without a path and a host nothing is written. Fails BAD_ARGUMENT when the file cannot be opened. */
export function createMetricsLog(path: string | undefined): MetricsLog {
  if (path === undefined) return { write: (row) => workHost()?.metrics(row), close() {} }
  let file: number
  try {
    file = openSync(path, 'a')
  } catch (cause) {
    return fail('BAD_ARGUMENT', `--log-jsonl: ${path} cannot be written`, {
      cause,
      param: 'log-jsonl',
    })
  }
  return {
    write(row) {
      writeSync(file, `${JSON.stringify(row)}\n`)
      workHost()?.metrics(row)
    },
    close: () => closeSync(file),
  }
}

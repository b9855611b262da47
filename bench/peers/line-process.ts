/** A child process that answers one JSON line with another. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fail } from '../../src/errors.ts'

export interface LineProcess {
  ask<T>(request: object): Promise<T>
  close(): void
}

/** `what` names it in errors, which end with what it last wrote to its standard error. */
export function startLineProcess(
  what: string,
  command: string,
  args: readonly string[],
): LineProcess {
  const child = spawn(command, args, { stdio: 'pipe' })
  let complaint = ''
  let failure: Error | undefined
  child.stderr.on(
    'data',
    (text: Buffer) => (complaint = (complaint + text.toString()).slice(-2000)),
  )
  child.stdin.on('error', () => undefined) // it ended; the next line says so
  child.on('error', (error) => (failure = error))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask<T>(request: object) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value, done } = await lines.next()
      if (!done) return JSON.parse(value) as T
      const last = complaint.trim().split('\n').at(-1)
      return fail('BAD_ARGUMENT', `${what}: ${failure?.message ?? last ?? 'it ended'}`)
    },
    close: () => void child.stdin.end(),
  }
}

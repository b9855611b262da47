/**
 * Runs the test suite, or the files given, with tap. Prints a line per file, the failures, and at
 * last one line: `N passed, N failed`. Exits 1 on a failure, when nothing ran and when tap crashed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createTapReader } from './tap-results.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const tap = fileURLToPath(new URL('../node_modules/tap/dist/esm/run.mjs', import.meta.url))
const child = spawn(process.execPath, [tap, '--reporter=tap', ...process.argv.slice(2)], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
})
const closed = once(child, 'close') as Promise<[code: number | null, signal: string | null]>
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))

const reader = createTapReader()
const failures: string[] = []

for await (const line of createInterface({ input: child.stdout })) {
  const file = reader.push(line)
  if (!file) continue
  const time = Number.isNaN(file.seconds) ? '' : ` ${file.seconds.toFixed(1)} s`
  console.log(`${file.ok ? 'ok  ' : 'FAIL'} ${file.name}${time}`)
  if (file.ok) continue
  for (const part of file.report) console.log(part)
  failures.push(...file.failures.map((name) => `${file.name} › ${name}`))
}

const [code, signal] = await closed
const { passed, failed, skipped } = reader.finish()
for (const name of failures) console.log(`failed: ${name}`)
if (skipped > 0) console.log(`${skipped} skipped`)
if (code !== 0 && failed === 0) console.log(`tap ended with ${signal ?? `exit code ${code}`}`)
// A run that broke elsewhere than in a test is no success.
const broken = Math.max(failed, code === 0 ? 0 : 1)
console.log(`${passed} passed, ${broken} failed`)
process.exitCode = broken > 0 || passed === 0 ? 1 : 0

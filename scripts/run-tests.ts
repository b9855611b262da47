/**
 * Runs the test suite with tap and ends with one line: `N passed, N failed, N skipped`. Tests are
 * counted at the level of `t.test` inside the files. Exits 1 on a failure or when nothing ran.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tap = fileURLToPath(new URL('../node_modules/.bin/tap', import.meta.url))
const args = ['--reporter=tap', ...process.argv.slice(2)]
const child = spawn(tap, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })

const counts = { passed: 0, failed: 0, skipped: 0 }
let failing = false

// Files are subtests of the run (no indent), tests are subtests of a file (four spaces).
for await (const line of createInterface({ input: child.stdout })) {
  const file = /^(not )?ok \d+ - (.*)/.exec(line)
  const test = /^ {4}(not )?ok \d+ - (.*)/.exec(line)
  if (file) console.log(`${file[1] ? 'FAIL' : 'ok  '} ${file[2]}`)
  if (file?.[1] && !/# time=/.test(line)) failing = true
  if (test) {
    if (/# (SKIP|TODO)/i.test(line)) counts.skipped++
    else if (test[1]) counts.failed++
    else counts.passed++
  }
  if (/^\s*not ok/.test(line)) failing = true
  else if (/^\s*ok \d+/.test(line)) failing = false
  if (failing) console.log(line)
}

const code =
  child.exitCode ??
  (await new Promise<number>((resolve) => child.on('exit', (c) => resolve(c ?? 1))))
// A file that dies outside its tests fails without a failed test.
if (code !== 0 && counts.failed === 0) counts.failed = 1
const ran = counts.passed + counts.failed
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = code !== 0 || ran === 0 ? 1 : 0

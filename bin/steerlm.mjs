#!/usr/bin/env node
/** Runs src/main.ts on Node 24: in this process where it is new enough, else on the packaged one. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const main = join(root, 'src', 'main.ts')
const binary = process.platform === 'win32' ? 'node.exe' : 'node'
const packaged = join(root, 'node_modules', 'node', 'bin', binary)

/** Passes signals on and ends as the child ends. */
function runOn(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child as well; twice would stop it without its clean end.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`steerlm: ${node} cannot be started: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}

if (Number(process.versions.node.split('.')[0]) >= 24) {
  process.argv[1] = main
  await import('../src/main.ts')
} else if (existsSync(packaged)) {
  runOn(packaged)
} else {
  console.error(`steerlm: needs Node 24 or the installed dependencies; run "npm ci" in ${root}`)
  process.exitCode = 1
}

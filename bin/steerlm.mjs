#!/usr/bin/env node
/** Runs src/main.ts on Node 24: in this process where it is new enough, else on the packaged one. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const main = join(root, 'src', 'main.ts')
const packaged = join(
  root,
  'node_modules',
  '.bin',
  process.platform === 'win32' ? 'node.cmd' : 'node',
)

if (Number(process.versions.node.split('.')[0]) >= 24) {
  process.argv[1] = main
  await import('../src/main.ts')
} else if (!existsSync(packaged)) {
  console.error(`steerlm needs Node 24 or the dependencies installed; run "npm ci" in ${root}`)
  process.exitCode = 1
} else {
  const child = spawn(packaged, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

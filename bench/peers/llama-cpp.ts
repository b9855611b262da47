/** The peer: node-llama-cpp (llama.cpp's CPU backend), installed on request into a folder of its own. */
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadRequest, PeerRequest } from './llama-cpp-process.ts'

const version = '3.22.1'

/** Installs it where it is not; its binaries are npm packages, no script runs. */
export function installLlamaCpp(dir: string): string {
  if (existsSync(join(dir, 'node_modules/node-llama-cpp'))) return dir
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ private: true }))
  const args = [
    'install',
    `node-llama-cpp@${version}`,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ]
  execFileSync('npm', args, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] })
  return dir
}

export interface LlamaCpp {
  /** Token times of every stream, in milliseconds. */
  decode(prompts: readonly (readonly number[])[], newTokens: number): Promise<number[][]>
  /** Milliseconds for one prompt. */
  prefill(prompt: readonly number[]): Promise<number>
  close(): void
}

export async function startLlamaCpp(options: Omit<LoadRequest, 'type'>): Promise<LlamaCpp> {
  const child = fork(new URL('./llama-cpp-process.ts', import.meta.url), {
    serialization: 'advanced',
  })
  const ask = async <T>(request: PeerRequest): Promise<T> => {
    child.send(request)
    const [answer] = (await once(child, 'message')) as [{ result: T; error?: string }]
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.result
  }
  await ask<void>({ type: 'load', ...options })
  return {
    decode: (prompts, newTokens) => ask({ type: 'decode', prompts, newTokens }),
    prefill: (prompt) => ask({ type: 'prefill', prompt }),
    close: () => void child.disconnect(),
  }
}

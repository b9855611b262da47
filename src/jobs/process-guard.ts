/**
 * A thread of a job process that keeps watch even while the main thread computes: it kills the process when the parent
 * has died (nobody would store its result, and another attempt may begin), and when it uses too much memory.
 */
import { parentPort, Worker, workerData, type MessagePort } from 'node:worker_threads'

interface GuardData {
  readonly parentPid: number
  readonly memoryBytes: number
}

const intervalMs = 200
/** What the main thread gets to say that it ends for lack of memory. */
const lastWordsMs = 5_000

/** Starts the guard; `onMemory` is called once, with the bytes in use. */
export function startGuard(memoryBytes: number, onMemory: (bytes: number) => void): void {
  const data: GuardData = { parentPid: process.ppid, memoryBytes }
  const guard = new Worker(new URL(import.meta.url), { workerData: { guard: data } })
  guard.on('message', onMemory)
  guard.unref()
}

function keepWatch({ parentPid, memoryBytes }: GuardData, parent: MessagePort): void {
  let isFull = false
  const kill = (): void => void process.kill(process.pid, 'SIGKILL')
  setInterval(() => {
    if (process.ppid !== parentPid) kill()
    const bytes = process.memoryUsage.rss()
    if (isFull || bytes <= memoryBytes) return
    isFull = true
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- no window
    parent.postMessage(bytes)
    setTimeout(kill, lastWordsMs)
  }, intervalMs)
}

const given = (workerData as { guard?: GuardData } | null)?.guard
if (given && parentPort) keepWatch(given, parentPort)

/** How engines use the processor. */
import { availableParallelism } from 'node:os'
import type { SessionOptions } from '../ort/index.ts'

/**
 * All cores that the system gives: ONNX Runtime's own default counts physical cores and so takes one
 * thread where two virtual cores share one, though two decode eight streams in two thirds of the time.
 * Threads that wait for the next kernel spin only shortly. By default they spin for long, and beside a
 * busy neighbour they then take the time that the working thread needs: a step of 6 ms took 15.
 * (135 M parameters, 4 bits, 2 virtual cores of one Zen 5 core, 2026-11.)
 */
export const runSettings = (threads?: number): Omit<SessionOptions, 'model'> => ({
  intraOpThreads: threads || availableParallelism(),
  config: { 'session.intra_op.spin_duration_us': '20' },
  memoryPattern: false,
})

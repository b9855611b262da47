/**
 * Who runs long work. On the command line nobody is set: progress is a bar, metrics go to a file. A job process sets
 * itself once at its start and then gets progress, metrics and checkpoints, and may slow the work down.
 */

export interface WorkProgress {
  readonly done: number
  readonly total: number
  readonly unit: string
  readonly note: string
}

export interface WorkHost {
  progress(progress: WorkProgress): void
  /** A training's metrics line. */
  metrics(row: Readonly<object>): void
  /** The work up to this step, row or reply survives a kill. */
  checkpoint(done: number): void
  /** Awaited between steps; `workedMs` is how long the work has run since the last pause. */
  pause(workedMs: number): Promise<void>
}

let host: WorkHost | undefined

export function setWorkHost(given: WorkHost | undefined): void {
  host = given
}

export const workHost = (): WorkHost | undefined => host

/** Measures from now; every call is a point where the host may let the work wait. */
export function createPausePoint(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (!host) return
    await host.pause(performance.now() - since)
    since = performance.now()
  }
}

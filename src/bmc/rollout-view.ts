/** What a job has that shows a roll-out, or a wave or a device of it. */
export interface RolloutView {
  /** The roll-out, which has the Id of its job. */
  readonly rollout?: string
  /** Of a wave: its number. */
  readonly wave?: number
  /** What it does. */
  readonly rolloutState?: string
  /** Of a roll-out or a wave: how many of its devices are in which state, and when it came to which of its own. */
  readonly rolloutDevices?: Readonly<Record<string, number>>
  readonly rolloutHistory?: readonly { readonly at: number; readonly state: string }[]
  /** Of a device: what was done at it. */
  readonly rolloutAttempts?: readonly RolloutAttempt[]
  /** Of a wave: who let it begin. */
  readonly approvedBy?: string | undefined
  /** Of a roll-out: the jobs of its waves, in their order: they come and go with it. */
  readonly waveJobs?: readonly WaveJob[]
}

/** An update of a device, or a roll-back, that has ended. */
export interface RolloutAttempt {
  readonly kind: string
  readonly startedAt: number
  readonly endedAt: number
  readonly end: string
  readonly failure?: { readonly stage: string } | undefined
  readonly bytes?: number | undefined
}

export interface WaveJob {
  readonly id: string
  /** How many steps it has. */
  readonly parts: number
}

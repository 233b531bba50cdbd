/** A reset that was asked for and is not over. */
export interface ResetUnderWay {
  readonly type: string
  /** Whether it was a system that was off when it was asked for. */
  readonly wasOff: boolean
  /** Whether it has brought the system down. */
  readonly isDown?: boolean
  /** The way up, from when everything that was before it is over. */
  readonly boot?: { readonly leadsToSetup: boolean; readonly statesReached: number }
}

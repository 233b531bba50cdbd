/** One event on its way to one place. */
export interface EventDelivery {
  readonly destination: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly verifyCertificate: boolean
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal
}

/** Where events leave the service. */
export interface EventSink {
  /** Whether the receiver took it. Rejects with the signal's reason when aborted, and never otherwise. */
  deliver(delivery: EventDelivery): Promise<boolean>
  close(): Promise<void>
}

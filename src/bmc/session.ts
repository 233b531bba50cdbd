export interface Session {
  readonly id: string
  readonly username: string
  readonly tokenHash: string
  readonly createdAt: number
  readonly origin: string
  /** What the client said when it logged in. */
  readonly context: string | null
}

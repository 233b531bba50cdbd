/** Who caused something, and from where. */
export interface Actor {
  /** `undefined`: nobody that we know. */
  readonly username: string | undefined
  /** Scheme and address: `https://192.0.2.7`. */
  readonly address: string
}

/** What a command may use of the process that runs it. */
export interface Terminal {
  readonly in: NodeJS.ReadableStream
  readonly out: NodeJS.WriteStream
  readonly err: NodeJS.WriteStream
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Resolves when the user asks the program to end. */
  readonly stopped: () => Promise<unknown>
}

/** A command that is done reports whether it did what it was asked. */
export type Finish = (exitCode: number) => void

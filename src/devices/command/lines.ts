/** Cuts bytes into lines of text. */
export interface LineReader {
  take(chunk: Uint8Array): void
  /** Nothing more comes: what is left is a line, too. */
  end(): void
}

/** Tells every line that is not empty; of one that has more characters, only that there was one: `undefined`. */
export function lineReader(maxLength: number, hear: (line: string | undefined) => void): LineReader {
  const decoder = new TextDecoder()
  let line = ''
  let isTooLong = false
  const add = (text: string): void => {
    isTooLong ||= line.length + text.length > maxLength
    line = isTooLong ? '' : line + text
  }
  const end = (): void => {
    if (isTooLong) hear(undefined)
    else if (line.trim() !== '') hear(line.trim())
    line = ''
    isTooLong = false
  }
  return {
    take: (chunk) => {
      const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n')
      add(first)
      for (const other of others) {
        end()
        add(other)
      }
    },
    end,
  }
}

import { fail, type Result } from '../lib/result.ts'
import type { Digests, Part, PartDigest } from './digests/digests.ts'
import type { FormatName, ImageContents, ImageProblem } from './image-format.ts'

/** A way of packing firmware. Every format passes `test/contracts/image-format.ts`. */
export interface ImageFormat {
  /** What SupportedUpdateImageFormats announces for it. */
  readonly names: readonly FormatName[]
  /** Whether an image that begins with these bytes (HEAD_BYTES, or the whole image) is of this format. */
  readonly recognises: (head: Uint8Array) => boolean
  /** Reads one image from its first byte to its last; what is wrong with the bytes is a value. */
  readonly read: (image: ImageBytes) => Reading
  /** Whether the whole may come compressed by gzip. */
  readonly mayBeCompressed?: true
}

/** How many bytes a format may look at to recognise an image. */
export const HEAD_BYTES = 512

/** What a format asks for next: bytes to look at, bytes that may pass, or everything up to the end. */
type Need =
  | { readonly kind: 'take' | 'take-up-to'; readonly length: number }
  | { readonly kind: 'skip'; readonly length: number }
  | { readonly kind: 'end' }

/** A format at work: top to bottom, as if the image were a file, while the bytes come as they come. */
export type Reading = Generator<Need, Result<ImageContents, ImageProblem>, Uint8Array>

/** A step of a reading. */
export type Step<T> = Generator<Need, T, Uint8Array>

/** An image as its format sees it. */
export interface ImageBytes {
  /** How many bytes were taken or have passed: at the end, the size of the image. */
  readonly position: number
  /** The next bytes, just so many. What was not taken yet costs no memory, whatever `length` says. */
  take(length: number): Step<Uint8Array>
  /** The next bytes, fewer where the image ends before that. */
  takeUpTo(length: number): Step<Uint8Array>
  /** Lets bytes pass. */
  skip(length: number): Step<void>
  /** Lets everything pass that still comes; from then on digests can be read. */
  end(): Step<void>
  /** Asks for the digest of a part that was not taken yet. */
  digest(part: Part): PartDigest
}

/** Takes an image's bytes as they stream past; what is wrong with them is told at the end, as a value. */
export interface ImageReader {
  /** Resolves when more may come, which is at once where it returns nothing; never rejects because of the bytes. */
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Everything has come: what the image holds, or why it cannot be used. */
  end(): Promise<Result<ImageContents, ImageProblem>>
  /** The bytes ended early: frees what the reader holds. */
  abandon(): void
}

const MAX_DETAIL_LENGTH = 1_000

/** Thrown by a format where the bytes are not what it reads; told as an ImageProblem. */
export class Unreadable extends Error {
  constructor(detail: string) {
    // What is quoted of the bytes must neither fill nor steer a terminal.
    super(detail.slice(0, MAX_DETAIL_LENGTH).replaceAll(/\p{Cc}/gu, '\u{fffd}'))
    this.name = 'Unreadable'
  }
}

const NOTHING = new Uint8Array()

/** Runs a format over an image that comes in chunks, and computes the digests that it asks for. */
export function readWith(read: (image: ImageBytes) => Reading, digests: Digests): ImageReader {
  return new ChunkReader(read, digests)
}

class ChunkReader implements ImageReader {
  readonly #digests: Digests
  readonly #reading: Reading
  #position = 0
  #need: Need | undefined
  /** What is left of a need that is not met yet, and what was gathered for it. */
  #left = 0
  #gathered: Uint8Array[] = []
  #result: Result<ImageContents, ImageProblem> | undefined

  constructor(read: (image: ImageBytes) => Reading, digests: Digests) {
    this.#digests = digests
    this.#reading = read(this.#bytes())
    this.#step(NOTHING)
  }

  // Not async: most chunks of an image only pass, and each would cost a turn more.
  write(chunk: Uint8Array): Promise<void> | undefined {
    let at = 0
    while (this.#need !== undefined && at < chunk.byteLength) {
      const isEnd = this.#need.kind === 'end'
      const length = isEnd ? chunk.byteLength - at : Math.min(this.#left, chunk.byteLength - at)
      const bytes = chunk.subarray(at, at + length)
      at += length
      this.#position += length
      if (isEnd) break
      this.#left -= length
      // A copy: the chunk is not ours.
      if (this.#need.kind !== 'skip') this.#gathered.push(Uint8Array.from(bytes))
      if (this.#left === 0) this.#step(this.#takeGathered())
    }
    // Afterwards: what the format has seen of this chunk tells which of its bytes count.
    return this.#digests.update(chunk)
  }

  async end(): Promise<Result<ImageContents, ImageProblem>> {
    if (this.#need?.kind === 'take-up-to') this.#step(this.#takeGathered())
    if (this.#need?.kind === 'end') {
      await this.#digests.finish()
      this.#step(NOTHING)
    }
    return (
      this.#result ?? fail({ kind: 'unreadable', detail: `it ends early, after ${this.#position} bytes` })
    )
  }

  abandon(): void {
    this.#need = undefined
    this.#gathered = []
  }

  /** Goes on until the format needs bytes that are not here. */
  #step(bytes: Uint8Array): void {
    let given = bytes
    for (;;) {
      const next = this.#next(given)
      if (next.done === true) {
        this.#need = undefined
        this.#result = next.value
        return
      }
      this.#need = next.value
      this.#left = next.value.kind === 'end' ? 0 : next.value.length
      if (next.value.kind === 'end' || this.#left > 0) return
      given = NOTHING
    }
  }

  #next(bytes: Uint8Array): ReturnType<Reading['next']> {
    try {
      return this.#reading.next(bytes)
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      return { done: true, value: fail({ kind: 'unreadable', detail: error.message }) }
    }
  }

  #takeGathered(): Uint8Array {
    const gathered = this.#gathered
    this.#gathered = []
    return gathered.length === 1 && gathered[0] ? gathered[0] : Buffer.concat(gathered)
  }

  #bytes(): ImageBytes {
    const position = () => this.#position
    return {
      get position() {
        return position()
      },
      take: function* (length) {
        return yield { kind: 'take', length }
      },
      takeUpTo: function* (length) {
        return yield { kind: 'take-up-to', length }
      },
      skip: function* (length) {
        yield { kind: 'skip', length }
      },
      end: function* () {
        yield { kind: 'end' }
      },
      digest: (part) => {
        if (part.start < this.#position) throw new Error(`the bytes from ${part.start} on have passed`)
        return this.#digests.want(part)
      },
    }
  }
}

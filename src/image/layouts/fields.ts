import { Unreadable } from '../reading.ts'

/** Takes the fields of a structure one after the other, as little-endian; throws an Unreadable where it is too short. */
export class Fields {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #what: string
  #at = 0

  /** `what` the structure is, in words. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  uint8(): number {
    return this.#view.getUint8(this.#pass(1))
  }

  uint16(): number {
    return this.#view.getUint16(this.#pass(2), true)
  }

  int16(): number {
    return this.#view.getInt16(this.#pass(2), true)
  }

  uint32(): number {
    return this.#view.getUint32(this.#pass(4), true)
  }

  /** So many bytes, not copied. */
  bytes(length: number): Uint8Array {
    const start = this.#pass(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Throws an Unreadable where something is left. */
  end(): void {
    const left = this.#bytes.byteLength - this.#at
    if (left > 0) throw new Unreadable(`${this.#what} has ${left} bytes more than its fields`)
  }

  #pass(length: number): number {
    const start = this.#at
    if (length > this.#bytes.byteLength - start) throw new Unreadable(`${this.#what} is too short`)
    this.#at += length
    return start
  }
}

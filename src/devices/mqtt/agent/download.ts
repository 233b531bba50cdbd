import { createHash } from 'node:crypto'
import { Agent as Connections, request } from 'undici'
import type { Clock } from '../../../lib/clock.ts'
import { type DownloadFailure, updateStatuses } from '../firmware.ts'

export interface Download {
  readonly uri: string
  /** The SHA-256 of the image in hexadecimal digits; what is empty verifies nothing. */
  readonly verifier: string
  readonly capacityBytes: number
  readonly bytesPerSecond: number
  /** How long it takes to verify what has come. */
  readonly verifyMs: number
}

/** Fetches images for devices, and keeps nothing of them but their digest. */
export class Downloads {
  readonly #clock: Clock
  readonly #connections = new Connections()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What failed, in IBM's words; nothing where an image is there and is what its verifier says. */
  async fetch(download: Download, signal: AbortSignal): Promise<DownloadFailure | undefined> {
    const { uri, verifier, verifyMs } = download
    if (!/^https?:\/\//i.test(uri) || !URL.canParse(uri)) return updateStatuses.invalidUri
    let digest: string | DownloadFailure
    try {
      digest = await this.#digest(download, signal)
    } catch {
      // Whatever a network can do; that the device was stopped is not its failure.
      signal.throwIfAborted()
      return updateStatuses.connectionLost
    }
    if (typeof digest !== 'string') return digest
    await this.#clock.sleep(verifyMs, signal)
    return verifier === '' || verifier.toLowerCase() === digest
      ? undefined
      : updateStatuses.verificationFailed
  }

  close(): Promise<void> {
    return this.#clock.io(this.#connections.destroy())
  }

  async #digest(
    { uri, capacityBytes, bytesPerSecond }: Download,
    signal: AbortSignal,
  ): Promise<string | DownloadFailure> {
    const clock = this.#clock
    const { statusCode, body } = await clock.io(request(uri, { dispatcher: this.#connections, signal }))
    if (statusCode !== 200) {
      body.on('error', () => {}).destroy()
      return updateStatuses.invalidUri
    }
    const hash = createHash('sha256')
    let sizeBytes = 0
    const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]()
    for (;;) {
      const { done, value } = await clock.io(chunks.next())
      if (done === true) return hash.digest('hex')
      sizeBytes += value.byteLength
      if (sizeBytes > capacityBytes) {
        body.on('error', () => {}).destroy()
        return updateStatuses.outOfMemory
      }
      hash.update(value)
      if (bytesPerSecond < Infinity) await clock.sleep((value.byteLength / bytesPerSecond) * 1_000, signal)
    }
  }
}

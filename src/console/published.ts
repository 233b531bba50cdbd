import { randomBytes } from 'node:crypto'
import type { FirmwareImage } from '../devices/flasher.ts'
import { uris } from '../redfish/uris.ts'

/** An image with a URI of its own, which whoever knows it may fetch. */
export interface Publication {
  readonly uri: string
  /** Nobody needs it any more. */
  readonly done: () => void
}

/** The images that devices fetch from the console themselves, each at a URI that nobody can guess. */
export class Published {
  readonly #images = new Map<string, FirmwareImage>()
  readonly #baseUrl: () => string

  /** `baseUrl`: where devices reach the console. */
  constructor(baseUrl: () => string) {
    this.#baseUrl = baseUrl
  }

  async publish(image: FirmwareImage): Promise<Publication> {
    const token = randomBytes(24).toString('base64url')
    this.#images.set(token, image)
    const uri = new URL(uris.publishedImage(token), this.#baseUrl()).href
    return { uri, done: () => void this.#images.delete(token) }
  }

  find(token: string): FirmwareImage | undefined {
    return this.#images.get(token)
  }
}

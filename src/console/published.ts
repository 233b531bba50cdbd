import { randomBytes } from 'node:crypto'
import type { FirmwareImage } from '../devices/flasher.ts'
import { uris } from '../redfish/uris.ts'

/** An image with a URI of its own, which whoever knows it may fetch. */
export interface Publication {
  readonly uri: string
  /** Nobody needs it any more. */
  readonly done: () => void
}

/** What is known of the way between a device and the console. */
export interface Way {
  /** The host that is reached. */
  readonly peer?: string | undefined
  /** Our own address that is reached from there. */
  readonly here?: string | undefined
}

/** The images that devices fetch from the console themselves, each at a URI that nobody can guess. */
export class Published {
  readonly #images = new Map<string, FirmwareImage>()
  readonly #baseUrl: (way: Way) => string | Promise<string>

  /** `baseUrl`: where devices reach the console by a way. */
  constructor(baseUrl: (way: Way) => string | Promise<string>) {
    this.#baseUrl = baseUrl
  }

  async publish(image: FirmwareImage, way: Way = {}): Promise<Publication> {
    const baseUrl = await this.#baseUrl(way)
    const token = randomBytes(24).toString('base64url')
    this.#images.set(token, image)
    const uri = new URL(uris.publishedImage(token), baseUrl).href
    return { uri, done: () => void this.#images.delete(token) }
  }

  find(token: string): FirmwareImage | undefined {
    return this.#images.get(token)
  }
}

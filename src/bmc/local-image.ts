/** An image that the service keeps. */
export interface LocalImage {
  readonly id: string
  /** The file name that came with it. */
  readonly name: string
  readonly sizeBytes: number
  readonly sha256: string
  /** Of its first component, where the image is one that we can read. */
  readonly version: string | undefined
  readonly softwareId: string | undefined
  readonly releaseDate: string | undefined
}

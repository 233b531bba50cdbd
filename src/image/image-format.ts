import type { Result } from '../lib/result.ts'

/** How UpdateService.SupportedUpdateImageFormats names a format. */
type FormatName = 'VendorDefined'

/** A way of packing firmware. Every format passes `test/contracts/image-format.ts`. */
export interface ImageFormat {
  readonly name: FormatName
  /** Whether an image that begins with these bytes (HEAD_BYTES, or the whole image) is of this format. */
  recognises(head: Uint8Array): boolean
  /** A reader for one image. */
  open(): ImageReader
}

/** Takes an image's bytes as they stream past; what is wrong with them is told at the end, as a value. */
export interface ImageReader {
  /** Resolves when more may come; never rejects because of the bytes. */
  write(chunk: Uint8Array): Promise<void>
  /** Everything has come: what the image holds, or why it cannot be used. */
  end(): Promise<Result<ImageContents, ImageProblem>>
  /** The bytes ended early: frees what the reader holds. */
  abandon(): void
}

/** How many bytes a format may look at to recognise an image. */
export const HEAD_BYTES = 512

export interface ImageContents {
  readonly format: FormatName
  readonly components: readonly ImageComponent[]
}

/** One component's firmware within an image. */
export interface ImageComponent {
  readonly name: string
  readonly softwareId: string
  readonly version: string
  readonly releaseDate: string | undefined
  readonly requires: readonly Requirement[]
  readonly sha256: string
  /** Where its bytes lie in the image. */
  readonly start: number
  readonly sizeBytes: number
}

/** Another component that must be at least at a version before this one may be installed. */
export interface Requirement {
  /** Its inventory Id or SoftwareId. */
  readonly component: string
  readonly min: string
}

export type ImageProblem =
  | { readonly kind: 'unknown-format' }
  | { readonly kind: 'unreadable'; readonly detail: string }
  | { readonly kind: 'digest-mismatch'; readonly component: string }

/** How messages name a component's firmware. */
export function imageName(component: Pick<ImageComponent, 'name' | 'version'>): string {
  return `${component.name} ${component.version}`
}

/** A problem in words, for people rather than for clients. */
export function describeImageProblem(problem: ImageProblem): string {
  switch (problem.kind) {
    case 'unknown-format':
      return 'no format that is known here'
    case 'unreadable':
      return problem.detail
    case 'digest-mismatch':
      return `the firmware of ${problem.component} has another digest than its manifest says`
  }
}

/** How UpdateService.SupportedUpdateImageFormats names a format (UpdateService v1_17). */
export type FormatName = 'PLDMv1_0' | 'PLDMv1_1' | 'PLDMv1_2' | 'PLDMv1_3' | 'UEFICapsule' | 'VendorDefined'

/** What an image says of itself, and what its bytes bear out. */
export interface ImageContents {
  readonly format: FormatName
  readonly components: readonly ImageComponent[]
  /** Whose image it is; nothing here says yet that they may be trusted. */
  readonly signatures: readonly ImageSignature[]
  /** The Model of the machine that it is for, where it is not for any. */
  readonly machine?: string | undefined
  /** How the whole is compressed: offsets below count the bytes that come out. */
  readonly encoding?: 'gzip' | undefined
}

/** One component's firmware within an image. */
export interface ImageComponent {
  readonly name: string
  readonly version: string
  readonly releaseDate: string | undefined
  /** What on a machine it is for. */
  readonly fits: Fits
  readonly requires: readonly Requirement[]
  readonly sha256: string
  /** Where its bytes lie in the image. */
  readonly start: number
  readonly sizeBytes: number
  /** Never lower than that of what runs, whatever the version says; 0 unless given. */
  readonly securityVersion?: number | undefined
  /** From then on no older version runs (UEFI, LowestSupportedImageVersion). */
  readonly lowestVersion?: string | undefined
  /** What decides what is newer instead of the version, where the image says so (DSP0267, component comparison stamp). */
  readonly comparisonStamp?: number | undefined
  /** Installed even where the policy would skip it (DSP0267, component option "force update"). */
  readonly isForced?: boolean | undefined
  /** What makes it run, where the image knows better than the machine. */
  readonly activation?: ActivationMethod | undefined
}

/** What makes an installed image run (DSP0267, ComponentActivationMethods), the gentlest first. */
export const activationMethods = [
  'automatic',
  'self-contained',
  'medium-specific-reset',
  'system-reboot',
  'dc-power-cycle',
  'ac-power-cycle',
] as const
export type ActivationMethod = (typeof activationMethods)[number]

/** How a component's firmware is matched with what a machine has. */
export type Fits =
  /** SoftwareInventory.SoftwareId. */
  | { readonly kind: 'software'; readonly softwareId: string }
  /** A PLDM component of devices that have all descriptors of one of these sets (DSP0267). */
  | {
      readonly kind: 'pldm'
      readonly classification: number
      readonly identifier: number
      readonly devices: readonly (readonly PldmDescriptor[])[]
    }
  /** An FMP image (UEFI 2.10 §23.1); `hardwareInstance` 0 is any. */
  | { readonly kind: 'capsule'; readonly imageTypeId: string; readonly hardwareInstance: bigint }
  /** An OpenBMC tarball; where it names no machine, it is for any. */
  | { readonly kind: 'openbmc'; readonly machineName: string | undefined; readonly purpose: string }
  /** No more than bytes, with a version in them or without: for this component (or any), when a request names it. */
  | { readonly kind: 'named'; readonly component: string }

/** A descriptor of a device (DSP0267, Descriptor identifiers): its type's number and its data in hexadecimal. */
export interface PldmDescriptor {
  readonly type: number
  readonly data: string
}

/** Another component that must be at least at a version before this one may be installed. */
export interface Requirement {
  /** Its inventory Id or SoftwareId. */
  readonly component: string
  readonly min: string
}

export type HashName = 'sha256' | 'sha384' | 'sha512'

/** A signature that came in the image. */
export interface ImageSignature {
  /** CMS or PKCS#7 in DER, with its certificates; or the bare signature of a key that is known by name. */
  readonly form: 'cms' | 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'ed25519'
  readonly bytes: Uint8Array
  /** What was signed: a few bytes, or the digest of many. */
  readonly signed: { readonly content: Uint8Array } | { readonly hash: HashName; readonly digest: string }
  /** Which key it says it is by, where it is bare. */
  readonly keyName?: string | undefined
  /** The component that it vouches for; all of them where absent. */
  readonly component?: string | undefined
}

export type ImageProblem =
  | { readonly kind: 'unknown-format' }
  | { readonly kind: 'unreadable'; readonly detail: string }
  /** A part has another digest, or checksum, than the image says. */
  | { readonly kind: 'digest-mismatch'; readonly component: string }

/** How messages name a component's firmware. */
export function imageName(component: Pick<ImageComponent, 'name' | 'version'>): string {
  return `${component.name} ${component.version}`.trimEnd()
}

/** A problem in words. */
export function describeImageProblem(problem: ImageProblem): string {
  switch (problem.kind) {
    case 'unknown-format':
      return 'it is of no format that is known here'
    case 'unreadable':
      return problem.detail
    case 'digest-mismatch':
      return `${problem.component} has another digest than the image says`
  }
}

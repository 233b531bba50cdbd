import { fail } from '../../lib/result.ts'
import type { ImageSignature } from '../image-format.ts'

/** Who vouches for an image. */
export interface Signer {
  /** The certificate's common name, or else its whole subject; or the name of the key. */
  readonly name: string
  /** SHA-256 of the certificate, or of the key (SPKI), in DER; `undefined` where neither is here. */
  readonly fingerprint: string | undefined
  /** PEM, from the signer's certificate to the anchor. */
  readonly certificates?: readonly string[] | undefined
}

/** Why a signature is not enough. */
export type SignatureProblem =
  /** It is no signature, or not one of these bytes. */
  | { readonly kind: 'invalid'; readonly detail: string }
  /** No anchor vouches for the signer, or the key is not known: then nobody knows whether it is right. */
  | { readonly kind: 'untrusted'; readonly signer: Signer }
  | {
      readonly kind: 'expired' | 'not-yet-valid' | 'revoked' | 'wrong-usage'
      readonly signer: Signer
      /** Whose certificate is so: the signer's, or one that vouches for it. */
      readonly certificate: string
    }

/** What a signature signs. */
export type Signed = ImageSignature['signed']

export function invalid(detail: string): { readonly ok: false; readonly problem: SignatureProblem } {
  return fail({ kind: 'invalid', detail })
}

import type { KeyKind } from '../../http/signing-request.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'

/** Curves by their names in the Trusted Computing Group's registry. */
export const curves: Readonly<Record<string, string>> = {
  TPM_ECC_NIST_P256: 'P-256',
  TPM_ECC_NIST_P384: 'P-384',
  TPM_ECC_NIST_P521: 'P-521',
}
const keySizes = [2048, 3072, 4096]

/** Text that has a place in a certificate: half of a surrogate pair has no encoding. */
export const ENCODABLE = '^\\P{Cs}*$'

/** What actions that make a key ask about it. */
export const keyParameters = {
  KeyPairAlgorithm: Type.Optional(
    Type.Unsafe<'TPM_ALG_ECDSA' | 'TPM_ALG_RSA'>({ enum: ['TPM_ALG_ECDSA', 'TPM_ALG_RSA'] }),
  ),
  KeyCurveId: Type.Optional(Type.Unsafe<string>({ enum: Object.keys(curves) })),
  KeyBitLength: Type.Optional(Type.Unsafe<number>({ enum: keySizes })),
}

type Given = { readonly [N in keyof typeof keyParameters]?: Static<(typeof keyParameters)[N]> | undefined }

/** The key that the parameters ask for; a curve makes no RSA key, and a length no elliptic one. */
export function keyKind({ KeyPairAlgorithm, KeyCurveId, KeyBitLength }: Given, action: string): KeyKind {
  const isRsa =
    (KeyPairAlgorithm ?? (KeyBitLength === undefined ? 'TPM_ALG_ECDSA' : 'TPM_ALG_RSA')) === 'TPM_ALG_RSA'
  const needless = isRsa
    ? KeyCurveId !== undefined && 'KeyCurveId'
    : KeyBitLength !== undefined && 'KeyBitLength'
  if (needless !== false) {
    const problem = message('Base.ActionParameterValueError', needless, action)
    throw new RedfishError(400, about(problem, `/${needless}`))
  }
  return isRsa
    ? { algorithm: 'RSA', bits: KeyBitLength ?? 2048 }
    : { algorithm: 'ECDSA', curve: curves[KeyCurveId ?? ''] ?? 'P-256' }
}

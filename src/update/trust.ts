import type { Bmc } from '../bmc/bmc.ts'
import { type ImageContents, imageName, type ImageSignature } from '../image/image-format.ts'
import type { ReceivedImage } from '../image/receive.ts'
import { trustOf } from '../image/trust/trust.ts'
import type { SignatureProblem, Signer } from '../image/trust/signer.ts'
import { verifySignature } from '../image/trust/verify-signature.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { type Message, message, withSeverity } from '../redfish/messages/message.ts'

/** What an image's origin came to. */
export interface Vouched {
  /** Who vouches for all of it; `undefined` where nobody does and the machine minds not. */
  readonly signer: string | undefined
  readonly messages: readonly Message[]
}

/** Whether an image may be used at all: nobody revoked it, and who signed it is trusted. Else why not. */
export async function judgeTrust(
  bmc: Bmc,
  { fileName, sha256 }: Pick<ReceivedImage, 'fileName' | 'sha256'>,
  contents: ImageContents,
  now: number,
): Promise<Result<Vouched, readonly Message[]>> {
  const trust = trustOf(bmc)
  const revoked = [
    ...(trust.revokedDigests.has(sha256) ? [fileName] : []),
    ...contents.components.filter((one) => trust.revokedDigests.has(one.sha256)).map(imageName),
  ]
  const signers: Signer[] = []
  const problems = revoked.map((image) => message('Redflash.ImageRevoked', image))
  for (const signature of contents.signatures) {
    const verified = await verifySignature(signature, trust, now)
    if (!verified.ok) {
      // One is enough: verifying takes time, and how often is up to who made the image.
      problems.push(describe(nameOf(signature, fileName), verified.problem))
      break
    }
    signers.push(verified.value)
  }
  if (problems.length > 0) return fail(problems)
  const [first] = signers
  if (first !== undefined && coversAll(contents)) {
    const names = [...new Set(signers.map(({ name }) => name))].join(', ')
    return succeed({ signer: names, messages: [message('Redflash.ImageSigned', fileName, names)] })
  }
  const unsigned = message('Redflash.ImageNotSigned', fileName)
  switch (bmc.machine.trust.unsigned) {
    case 'refuse':
      return fail([withSeverity(unsigned, 'Critical')])
    case 'warn':
      return succeed({ signer: undefined, messages: [unsigned] })
    case 'accept':
      return succeed({ signer: undefined, messages: [] })
  }
}

/** Whether each component has a signature, its own or that of the whole. */
function coversAll({ components, signatures }: ImageContents): boolean {
  const own = new Set(signatures.map(({ component }) => component))
  return own.has(undefined) || components.every(({ name }) => own.has(name))
}

function nameOf({ component }: ImageSignature, fileName: string): string {
  return component ?? fileName
}

function describe(image: string, problem: SignatureProblem): Message {
  if (problem.kind === 'invalid') return message('Redflash.SignatureInvalid', image, problem.detail)
  return message('Redflash.SignerNotTrusted', image, problem.signer.name, reasonOf(problem))
}

function reasonOf(problem: Exclude<SignatureProblem, { readonly kind: 'invalid' }>): string {
  if (problem.kind === 'untrusted') return 'no trust anchor vouches for it'
  return `the certificate of ${problem.certificate} ${faults[problem.kind]}`
}

const faults = {
  expired: 'has expired',
  'not-yet-valid': 'is not valid yet',
  revoked: 'is revoked',
  'wrong-usage': 'is not for this',
} as const

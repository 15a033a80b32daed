export { CertificateError, type CertificateErrorCode } from './certificate-error.ts';
export { formatCertificateLine, parseCertificateLine } from './certificate-line.ts';
export { isCertificateType, plainTypeOf } from './certificate-type.ts';
export type { Certificate, CertificateKind, CertificateRefusal } from './contract.ts';
export { type CertificateSpec, mintCertificate, userExtensions } from './mint-certificate.ts';
export { parseCertificate } from './parse-certificate.ts';
export { type CertificateDemand, type CertificateVerdict, verifyCertificate } from './verify-certificate.ts';

/*
 * pan.h - what looks like a bank card's number, so that no untyped field takes one.
 *
 * Owns:      the card schemes' ranges and lengths, the Luhn check, the folding of digits.
 * Must not:  keep, copy or print what it looked at.
 * Invariant: a number of 13 to 19 digits that passes Luhn inside a scheme's range and length is
 *            found however it is written: with spaces or dashes, in digits of any script, in the
 *            middle of other text. A number that touches more digits than its own is not one.
 * Why:       storing a card's number in any form brings the whole server into PCI DSS's scope.
 */
#ifndef KOP_SERVICE_PAN_H
#define KOP_SERVICE_PAN_H

#include "base/text.h"

enum { pan_digits_min = 13, pan_digits_max = 19 };

/* Does `text` (of any bytes) hold what looks like a bank card's number? */
bool pan_is_in(struct text text);

/* Is it a bar code of GS1: 8, 12, 13 or 14 digits whose check digit is right? Such an article may
 * look like a card's number by chance (one bar code in ten passes Luhn). */
bool pan_is_gtin(struct text text);

#endif

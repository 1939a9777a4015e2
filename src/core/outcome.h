/*
 * outcome.h - refusals by the rules: one list gives name, HTTP status and sentences.
 *
 * Owns:      the list, in order of precedence. Nothing else maps an outcome to a status or words.
 * Invariant: an outcome's name never changes once released; problem+json's `type` ends with it.
 */
#ifndef KOP_CORE_OUTCOME_H
#define KOP_CORE_OUTCOME_H

#include "base/text.h"

#define OUTCOMES(X)                                                                                \
    X(DONE, 200, "done", "выполнено")                                                              \
    X(REQUEST_MALFORMED, 400, "the request is not proper HTTP",                                    \
      "запрос не является корректным HTTP")                                                        \
    X(REQUEST_SLOW, 408, "the request came too slowly", "запрос передавался слишком медленно")     \
    X(TARGET_LONG, 414, "the request line is too long", "слишком длинная строка запроса")          \
    X(EXPECTATION_UNKNOWN, 417, "this expectation is not known", "такое ожидание неизвестно")      \
    X(HEAD_TOO_LARGE, 431, "the headers are too long", "слишком длинные заголовки")                \
    X(METHOD_UNKNOWN, 501, "this method or transfer coding is not known",                          \
      "такой метод или способ передачи неизвестен")                                                \
    X(VERSION_UNKNOWN, 505, "the version of HTTP must be 1.1", "версия HTTP должна быть 1.1")      \
    X(BODY_NOT_JSON, 400, "the body is not valid JSON",                                            \
      "тело запроса не является корректным JSON")                                                  \
    X(FIELD_UNKNOWN, 400, "this field is not known", "такого поля нет")                            \
    X(FIELD_TWICE, 400, "this field occurs twice", "поле указано дважды")                          \
    X(FIELD_MISSING, 400, "a required field is missing", "не указано обязательное поле")           \
    X(FIELD_TYPE, 400, "the value has the wrong type", "значение неверного типа")                  \
    X(FIELD_FORMAT, 400, "the value is malformed", "значение записано неверно")                    \
    X(FIELD_RANGE, 400, "the value is out of range", "значение вне допустимых пределов")           \
    X(FIELD_LONG, 400, "the text is too long", "слишком длинный текст")                            \
    X(AMOUNT_TOO_FINE, 400, "more digits after the point than the currency has",                   \
      "больше знаков после запятой, чем есть у валюты")                                            \
    X(CARD_NUMBER_FORBIDDEN, 400, "a bank card number is not accepted here",                       \
      "номер банковской карты здесь не принимается")                                               \
    X(TOO_MANY, 400, "more items than the limit allows", "элементов больше, чем разрешено")        \
    X(UNAUTHENTICATED, 401, "a valid API key is needed", "нужен действующий ключ доступа")         \
    X(FORBIDDEN, 403, "the API key does not allow this", "ключ не даёт права на это действие")     \
    X(NOT_FOUND, 404, "there is no such thing", "такого объекта нет")                              \
    X(METHOD_NOT_ALLOWED, 405, "the method is not allowed here", "метод здесь недопустим")         \
    X(BODY_TOO_LARGE, 413, "the body is too large", "слишком большое тело запроса")                \
    X(MEDIA_TYPE, 415, "the body must be application/json", "тело должно быть application/json")   \
    X(PROGRAMME_UNKNOWN, 404, "there is no such programme", "такой программы нет")                 \
    X(PROGRAMME_INVALID, 422, "the programme document has mistakes",                               \
      "в описании программы есть ошибки")                                                          \
    X(PROGRAMME_NOT_IN_FORCE, 409, "no version of the programme was in force then",                \
      "на этот момент нет действующей версии программы")                                           \
    X(KEY_REUSED, 422, "this key was used for another request",                                    \
      "этот ключ уже использован для другого запроса")                                             \
    X(CARD_UNKNOWN, 404, "the card or telephone is not known", "карта или телефон не найдены")     \
    X(CARD_BLOCKED, 409, "the card is blocked", "карта заблокирована")                             \
    X(CARD_TAKEN, 409, "the card or telephone belongs to a member already",                        \
      "карта или телефон уже привязаны к участнику")                                               \
    X(MEMBER_CLOSED, 409, "the member's account is closed", "счёт участника закрыт")               \
    X(MEMBER_NEEDED, 409, "this needs a member", "для этого нужен участник")                       \
    X(TOO_YOUNG, 409, "younger than the programme admits",                                         \
      "возраст меньше допустимого программой")                                                     \
    X(DATA_NEEDED, 422, "the programme asks for data that are missing",                            \
      "не указаны данные, которые требует программа")                                              \
    X(TOO_LATE, 409, "later than the programme's limit", "позже срока, допустимого программой")    \
    X(IN_FUTURE, 409, "the time lies in the future", "время ещё не наступило")                     \
    X(RECEIPT_UNKNOWN, 404, "there is no such receipt", "такого чека нет")                         \
    X(RESERVE_UNKNOWN, 404, "there is no such reserve", "такого резерва нет")                      \
    X(RESERVE_ENDED, 409, "the reserve has ended or was used",                                     \
      "резерв истёк или уже использован")                                                          \
    X(DECISION_CHANGED, 409, "the decision would differ now", "расчёт изменился")                  \
    X(CODE_NOT_CONFIRMED, 409, "spending points must be confirmed by a code",                      \
      "списание баллов нужно подтвердить кодом")                                                   \
    X(CURRENCY_UNKNOWN, 422, "there is no such currency", "нет такого вида баллов")                \
    X(REDEEM_NOT_ALLOWED, 409, "these points may not pay for this purchase",                       \
      "этими баллами нельзя оплатить эту покупку")                                                 \
    X(REDEEM_OVER_LIMIT, 409, "more points than may pay for this purchase",                        \
      "баллов больше, чем разрешено потратить на эту покупку")                                     \
    X(REDEEM_STEP, 409, "points are spent in whole multiples only",                                \
      "баллы списываются только кратно шагу")                                                      \
    X(MONEY_TOO_LITTLE, 409, "the part paid in money would be too small",                          \
      "часть, оплаченная деньгами, меньше допустимой")                                             \
    X(PAYMENT_TOO_LARGE, 409, "payments exceed what is due", "оплата больше суммы к оплате")       \
    X(NOT_ENOUGH, 409, "fewer points than asked for", "баллов меньше, чем запрошено")              \
    X(RETURN_TOO_MUCH, 409, "more than was sold and not yet returned",                             \
      "больше, чем продано и ещё не возвращено")                                                   \
    X(RETURN_POINTS_SPENT, 409, "the points earned by these goods were spent already",             \
      "баллы за эти товары уже потрачены")                                                         \
    X(AMOUNT_OVERFLOW, 422, "the sum is larger than can be kept",                                  \
      "сумма больше допустимой")                                                                   \
    X(TOO_MANY_HOLDS, 409, "too many reserves are open", "слишком много открытых резервов")        \
    X(CONFLICT, 409, "somebody changed this meanwhile", "это уже изменено другим запросом")        \
    X(BUSY, 503, "the server is busy, try again", "сервер занят, повторите запрос")                \
    X(INTERNAL, 500, "an internal failure", "внутренняя ошибка")

enum outcome {
#define X(name, http, en, ru) OUTCOME_##name,
    OUTCOMES(X)
#undef X
        outcome_count
};

const char *outcome_name(enum outcome outcome);   /* "NOT_ENOUGH" */
int outcome_http_status(enum outcome outcome);    /* 409 */
const char *outcome_sentence(enum outcome outcome, bool russian);

#endif

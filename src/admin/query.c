#include "admin/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct lexer lexer;
    struct token token; /* the next one */
    const struct query_parameters *parameters;
    struct query *query;
    struct error *err;
};

static void next(struct reader *reader)
{
    reader->token = lexer_next(&reader->lexer);
}

static bool refuse(struct reader *reader, const char *expected)
{
    const struct token *token = &reader->token;
    int size = token->size > 40 ? 40 : (int)token->size;

    if (token->kind == TOKEN_END) {
        return error_set(reader->err, "42601", "syntax error at end of input: expected %s",
                         expected);
    }
    return error_set(reader->err, "42601", "syntax error at or near \"%.*s\": expected %s", size,
                     token->text, expected);
}

static bool is_end(const struct reader *reader)
{
    return reader->token.kind == TOKEN_END || token_is_punctuation(&reader->token, ';');
}

static bool is_operator(const struct token *token, const char *text)
{
    return token->kind == TOKEN_OPERATOR && token->size == strlen(text) &&
           memcmp(token->text, text, token->size) == 0;
}

/* Takes that keyword if it's the next token. */
static bool take(struct reader *reader, const char *keyword)
{
    if (!token_is(&reader->token, keyword)) {
        return false;
    }
    next(reader);
    return true;
}

/* ---- names and values ---- */

/* The parameter's text in `value`; while nothing is bound any text, "1". */
static bool read_parameter(struct reader *reader, char *value, size_t size, bool *is_null)
{
    const struct query_parameters *parameters = reader->parameters;
    unsigned long number = strtoul(reader->token.text + 1, NULL, 10);

    if (number < 1 || number > QUERY_PARAMETER_MAX) {
        return error_set(reader->err, "42P02", "there is no parameter $%lu", number) ||
               error_hint(reader->err, "the console takes $1 to $%d", QUERY_PARAMETER_MAX);
    }
    if (number > reader->query->parameter_count) {
        reader->query->parameter_count = (unsigned)number;
    }
    next(reader);
    if (parameters == NULL || parameters->values == NULL) {
        memcpy(value, "1", 2);
        return true;
    }
    if (number > parameters->count) {
        return error_set(reader->err, "08P01", "parameter $%lu has no value", number);
    }
    const char *text = parameters->values[number - 1];
    *is_null = text == NULL;
    if (text != NULL && strlen(text) >= size) {
        return error_set(reader->err, "22001", "the value of $%lu is too long", number);
    }
    snprintf(value, size, "%s", text == NULL ? "" : text);
    return true;
}

static bool read_name(struct reader *reader, char name[TOKEN_NAME_SIZE], const char *what)
{
    bool is_null = false;

    if (reader->token.kind == TOKEN_PARAMETER) {
        return read_parameter(reader, name, TOKEN_NAME_SIZE, &is_null) &&
               (!is_null || error_set(reader->err, "22004", "%s must not be NULL", what));
    }
    bool is_name = token_name(&reader->token, name) ||
                   token_string(&reader->token, true, name, TOKEN_NAME_SIZE);
    if (!is_name || name[0] == '\0') {
        return refuse(reader, what);
    }
    next(reader);
    return true;
}

static bool copy_token(struct reader *reader, const char *sign, char value[QUERY_VALUE_SIZE])
{
    const struct token *token = &reader->token;
    size_t sign_size = strlen(sign);

    if (token->size + sign_size >= QUERY_VALUE_SIZE) {
        return refuse(reader, "a shorter value");
    }
    memcpy(value, sign, sign_size);
    memcpy(value + sign_size, token->text, token->size);
    value[sign_size + token->size] = '\0';
    next(reader);
    return true;
}

static bool read_literal(struct reader *reader, char value[QUERY_VALUE_SIZE], bool *is_null)
{
    if (reader->token.kind == TOKEN_PARAMETER) {
        return read_parameter(reader, value, QUERY_VALUE_SIZE, is_null);
    }
    if (token_string(&reader->token, true, value, QUERY_VALUE_SIZE)) {
        next(reader);
        return true;
    }
    if (is_operator(&reader->token, "-")) {
        next(reader);
        return reader->token.kind == TOKEN_NUMBER ? copy_token(reader, "-", value)
                                                  : refuse(reader, "a number");
    }
    if (reader->token.kind == TOKEN_NUMBER) {
        return copy_token(reader, "", value);
    }
    return refuse(reader, "a string, a number or a parameter");
}

/* ---- SHOW ---- */

static bool read_operator(struct reader *reader, enum query_operator *operator)
{
    static const struct {
        const char *text;
        enum query_operator operator;
    } all[] = {
        {"=", QUERY_EQUAL},    {"<>", QUERY_NOT_EQUAL}, {"!=", QUERY_NOT_EQUAL}, {"<", QUERY_LESS},
        {"<=", QUERY_AT_MOST}, {">", QUERY_MORE},       {">=", QUERY_AT_LEAST},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (is_operator(&reader->token, all[i].text)) {
            *operator= all[i].operator;
            next(reader);
            return true;
        }
    }
    bool is_not = take(reader, "not");
    if (take(reader, "like")) {
        *operator= is_not ? QUERY_NOT_LIKE : QUERY_LIKE;
        return true;
    }
    return refuse(reader, is_not ? "LIKE" : "=, <>, <, <=, >, >= or LIKE");
}

static bool read_terms(struct reader *reader)
{
    struct query *query = reader->query;

    do {
        if (query->term_count == QUERY_TERM_MAX) {
            return error_set(reader->err, "54000", "more than %d conditions", QUERY_TERM_MAX);
        }
        struct query_term *term = &query->terms[query->term_count++];
        if (!read_name(reader, term->column, "a column") ||
            !read_operator(reader, &term->operator) ||
            !read_literal(reader, term->value, &term->is_null)) {
            return false;
        }
    } while (take(reader, "and"));
    return true;
}

static bool read_orders(struct reader *reader)
{
    struct query *query = reader->query;

    if (!take(reader, "by")) {
        return refuse(reader, "BY");
    }
    for (;;) {
        if (query->order_count == QUERY_ORDER_MAX) {
            return error_set(reader->err, "54000", "more than %d columns to order by",
                             QUERY_ORDER_MAX);
        }
        struct query_order *order = &query->orders[query->order_count++];
        if (!read_name(reader, order->column, "a column")) {
            return false;
        }
        order->is_descending = take(reader, "desc");
        if (!order->is_descending) {
            (void)take(reader, "asc");
        }
        if (!token_is_punctuation(&reader->token, ',')) {
            return true;
        }
        next(reader);
    }
}

static bool read_limit(struct reader *reader)
{
    char text[QUERY_VALUE_SIZE], *end = NULL;
    bool is_null = false;

    if (!read_literal(reader, text, &is_null)) {
        return false;
    }
    errno = 0;
    long long number = is_null ? -1 : strtoll(text, &end, 10);
    if (!is_null && (end == text || *end != '\0' || errno != 0 || number < 0)) {
        return error_set(reader->err, "2201W", "LIMIT must be a whole number, not below 0: %.40s",
                         text);
    }
    reader->query->limit = number; /* LIMIT NULL is none, as in PostgreSQL */
    return true;
}

static bool read_show(struct reader *reader)
{
    if (!read_name(reader, reader->query->name, "what to show")) {
        return false;
    }
    if (take(reader, "where") && !read_terms(reader)) {
        return false;
    }
    if (take(reader, "order") && !read_orders(reader)) {
        return false;
    }
    return !take(reader, "limit") || read_limit(reader);
}

/* ---- the others ---- */

static bool read_set(struct reader *reader)
{
    struct query *query = reader->query;
    bool is_null = false;

    if (!read_name(reader, query->name, "a setting")) {
        return false;
    }
    if (is_operator(&reader->token, "=")) {
        next(reader);
    } else if (!take(reader, "to")) {
        return refuse(reader, "= or TO");
    }
    if (reader->token.kind == TOKEN_WORD || reader->token.kind == TOKEN_QUOTED) {
        char name[TOKEN_NAME_SIZE];
        bool is_quoted = reader->token.kind == TOKEN_QUOTED;
        if (!is_quoted) {
            return copy_token(reader, "", query->value);
        }
        if (!read_name(reader, name, "a value")) {
            return false;
        }
        memcpy(query->value, name, sizeof name);
        return true;
    }
    return read_literal(reader, query->value, &is_null) &&
           (!is_null || error_set(reader->err, "22004", "a setting can't be NULL"));
}

static bool read_maybe_name(struct reader *reader)
{
    return is_end(reader) || read_name(reader, reader->query->name, "a database");
}

static bool read_needed_name(struct reader *reader)
{
    if (is_end(reader)) {
        return error_set(reader->err, "42601", "a database is required");
    }
    return read_name(reader, reader->query->name, "a database");
}

static bool read_nothing(struct reader *reader)
{
    (void)reader;
    return true;
}

static bool read_shutdown(struct reader *reader)
{
    reader->query->waits_for_clients = take(reader, "wait_for_clients");
    return true;
}

static bool read_transaction(struct reader *reader)
{
    if (!take(reader, "work")) {
        (void)take(reader, "transaction");
    }
    return true;
}

static const struct command {
    const char *word;
    enum query_kind kind;
    bool (*read)(struct reader *reader);
} commands[] = {
    {"show", QUERY_SHOW, read_show},
    {"set", QUERY_SET, read_set},
    {"pause", QUERY_PAUSE, read_maybe_name},
    {"resume", QUERY_RESUME, read_maybe_name},
    {"reconnect", QUERY_RECONNECT, read_maybe_name},
    {"wait_close", QUERY_WAIT_CLOSE, read_maybe_name},
    {"kill", QUERY_KILL, read_needed_name},
    {"disable", QUERY_DISABLE, read_needed_name},
    {"enable", QUERY_ENABLE, read_needed_name},
    {"reload", QUERY_RELOAD, read_nothing},
    {"shutdown", QUERY_SHUTDOWN, read_shutdown},
    {"begin", QUERY_BEGIN, read_transaction},
    {"start", QUERY_BEGIN, read_transaction},
    {"commit", QUERY_COMMIT, read_transaction},
    {"end", QUERY_COMMIT, read_transaction},
    {"rollback", QUERY_ROLLBACK, read_transaction},
    {"abort", QUERY_ROLLBACK, read_transaction},
};

static bool read_statement(struct reader *reader)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (take(reader, commands[i].word)) {
            reader->query->kind = commands[i].kind;
            if (!commands[i].read(reader)) {
                return false;
            }
            return is_end(reader) || refuse(reader, "the end of the command");
        }
    }
    return refuse(reader, "a command of the console") ||
           error_hint(reader->err, "SHOW HELP lists them; this is no database");
}

bool query_read(const char *bytes, size_t size, const struct query_parameters *parameters,
                struct query *query, size_t *used, struct error *err)
{
    struct reader reader = {.parameters = parameters, .query = query, .err = err};

    *query = (struct query){.limit = -1};
    lexer_begin(&reader.lexer, bytes, size, true);
    do {
        next(&reader);
    } while (token_is_punctuation(&reader.token, ';'));
    if (reader.token.kind == TOKEN_END) {
        *used = size;
        return true;
    }
    if (!read_statement(&reader)) {
        return false;
    }
    *used = reader.token.kind == TOKEN_END ? size : (size_t)(reader.lexer.at - bytes);
    return true;
}

const char *query_tag(enum query_kind kind)
{
    switch (kind) {
    case QUERY_EMPTY: return "";
    case QUERY_SHOW: return "SHOW";
    case QUERY_SET: return "SET";
    case QUERY_PAUSE: return "PAUSE";
    case QUERY_RESUME: return "RESUME";
    case QUERY_RECONNECT: return "RECONNECT";
    case QUERY_WAIT_CLOSE: return "WAIT_CLOSE";
    case QUERY_KILL: return "KILL";
    case QUERY_DISABLE: return "DISABLE";
    case QUERY_ENABLE: return "ENABLE";
    case QUERY_RELOAD: return "RELOAD";
    case QUERY_SHUTDOWN: return "SHUTDOWN";
    case QUERY_BEGIN: return "BEGIN";
    case QUERY_COMMIT: return "COMMIT";
    case QUERY_ROLLBACK: return "ROLLBACK";
    }
    return "";
}

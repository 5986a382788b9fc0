//! What producers push: progress, and events of chats.

use tidings::event::{
    ChannelFold, ChannelKind, EventError, EventId, MAX_DETAIL_CHARS, ProgressEvent, ProgressFold, TypedEvent,
};

use super::fuzz;

/// Says what is wrong with the text of a frame.
fn breaks_out(text: &str) -> Option<String> {
    let has_end = text.chars().any(|c| matches!(c, '\n' | '\r' | '\0'));
    has_end.then(|| format!("it would break out of its frame: {text:?}"))
}

#[test]
fn progress_is_refused_in_words_or_read_whole_and_shown_safely() {
    let mut fold = ProgressFold::default();
    let mut places = 0;
    fuzz("progress", |input| {
        let event = match ProgressEvent::parse(input) {
            Ok(event) => event,
            Err(error) => return breaks_out(&error.to_string()).map_or(Ok(()), Err),
        };
        if event.detail.as_deref().is_some_and(|detail| detail.chars().count() > MAX_DETAIL_CHARS) {
            return Err("a detail is too long".into());
        }
        match event.to_payload() {
            Ok(payload) if ProgressEvent::parse(&payload).ok() != Some(event.clone()) => {
                return Err(format!("it is read otherwise again: {payload:?}"));
            }
            Ok(_) | Err(EventError::TooLarge(_)) => {}
            Err(error) => return Err(format!("it cannot be written: {error}")),
        }
        places += 1;
        let Some(shown) = fold.apply(EventId::new(places, 0), &event) else { return Ok(()) };
        let data = std::str::from_utf8(&shown.data).map_err(|error| error.to_string())?;
        let shown: serde_json::Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        if shown["percent"].as_u64().is_none_or(|percent| percent > 100) {
            return Err(format!("percent is {}", shown["percent"]));
        }
        breaks_out(data).map_or(Ok(()), Err)
    });
}

/// Whatever is pushed to a list of a chat or of other work comes this way.
#[test]
fn what_is_pushed_to_a_chat_is_hidden_or_shown_safely() {
    let mut folds = [ChannelKind::Chat, "imports".parse().unwrap()].map(|kind| ChannelFold::of(&kind));
    let mut places = 0;
    fuzz("chat", |input| {
        places += 1;
        if let Ok(event) = TypedEvent::parse(input) {
            match event.to_payload() {
                Ok(payload) if TypedEvent::parse(&payload).is_err() => {
                    return Err(format!("it is refused when it is read again: {payload:?}"));
                }
                Ok(_) | Err(EventError::TooLarge(_)) => {}
                Err(error) => return Err(format!("it cannot be written: {error}")),
            }
        }
        for fold in &mut folds {
            if let Ok(shown) = fold.apply(EventId::new(places, 0), input) {
                let data = std::str::from_utf8(&shown.data).map_err(|error| error.to_string())?;
                serde_json::from_str::<serde_json::Value>(data).map_err(|error| error.to_string())?;
                if let Some(broken) = breaks_out(data).or_else(|| breaks_out(shown.name.as_str())) {
                    return Err(broken);
                }
            }
            let _ = fold.state();
        }
        Ok(())
    });
}

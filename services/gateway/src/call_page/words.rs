//! What the page says, in each language.

use callboard_kernel::Language;

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    pub title: &'static str,
    pub door: &'static str,
    pub join: &'static str,
    pub without: &'static str,
    pub scan: &'static str,
    pub no_script: &'static str,
    pub you: &'static str,
    pub other: &'static str,
    pub recording: &'static str,
    pub may_record: &'static str,
    pub agree: &'static str,
    pub disagree: &'static str,
    pub tools: &'static str,
    pub mute: &'static str,
    pub camera_off: &'static str,
    pub screenshot: &'static str,
    pub record: &'static str,
    pub consent: &'static str,
    pub hang_up: &'static str,
    pub pictures: &'static str,
    pub again: &'static str,
    /// What the scripts say, by the name they know it by.
    pub said: &'static [(&'static str, &'static str)],
}

/// The words of a language.
pub const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::De => &GERMAN,
    }
}

static ENGLISH: Words = Words {
    title: "Video call",
    door: "Your camera and your microphone are used as soon as you join. Picture and sound go from browser to browser and \
           are not kept, unless both sides agree to a recording.",
    join: "Join the call",
    without: "Join without camera and microphone",
    scan: "Scan or type the code",
    no_script: "This page needs JavaScript.",
    you: "Your own picture",
    other: "The other side",
    recording: "This call is being recorded",
    may_record: "The other side would like to record this call. Do you agree? You can change your mind at any time.",
    agree: "I agree",
    disagree: "No",
    tools: "Call",
    mute: "Mute",
    camera_off: "Camera off",
    screenshot: "Take a picture",
    record: "Record",
    consent: "I agree to recordings",
    hang_up: "Hang up",
    pictures: "Pictures of this call",
    again: "Join again",
    said: &[
        ("waiting", "Waiting for the other side …"),
        ("connecting", "Connecting …"),
        ("reconnecting", "The connection was lost and is being built up again …"),
        (
            "denied",
            "This page may not use your camera or your microphone. Allow it in the settings of your browser for this \
                    address, then join again.",
        ),
        ("noCamera", "No camera was found."),
        ("cameraBusy", "The camera or the microphone is used by another program."),
        ("noMedia", "Neither camera nor microphone can be used."),
        ("insecure", "Browsers let calls be made over https only."),
        ("noSession", "This address names no call. Please open the link that you were sent."),
        ("notIn", "Please scan the code on the device first, then open this link again."),
        ("notFound", "This call is not there, or not for you."),
        ("over", "This call is over. It can be opened again by an employee."),
        ("notConfirmed", "This call is not confirmed yet. Please try again later."),
        ("sideTaken", "Somebody else is in this call already."),
        ("hangingUp", "Hanging up …"),
        (
            "otherProvider",
            "This call is not made on this page: please use the app that you were invited with.",
        ),
        ("callEnded", "The call is over."),
        ("replaced", "The call goes on in another window."),
        ("linkOver", "This link is not valid any more. Please open the call again."),
        ("broken", "The call broke off."),
        ("notNow", "That does not work right now: the connection is being built up again."),
        ("asksConsent", "The other side is asked whether the call may be recorded."),
        ("noConsent", "The call is recorded only if both sides agree."),
        ("refused", "That was refused."),
        ("nothingToSee", "There is no picture of the other side."),
        ("otherTook", "The other side took a picture. You find it below."),
        ("savePicture", "Picture of the call: save it"),
        ("saving", "A recording or picture is being saved. Please leave this page open."),
        ("saved", "Saved. It is kept with this call."),
        ("notSaved", "A recording or picture could not be saved."),
    ],
};

static GERMAN: Words = Words {
    title: "Videoanruf",
    door: "Kamera und Mikrofon werden benutzt, sobald Sie beitreten. Bild und Ton gehen von Browser zu Browser und werden \
           nicht aufbewahrt, außer beide Seiten stimmen einer Aufzeichnung zu.",
    join: "Dem Anruf beitreten",
    without: "Ohne Kamera und Mikrofon beitreten",
    scan: "Code scannen oder eintippen",
    no_script: "Diese Seite braucht JavaScript.",
    you: "Ihr eigenes Bild",
    other: "Die andere Seite",
    recording: "Dieser Anruf wird aufgezeichnet",
    may_record: "Die andere Seite möchte diesen Anruf aufzeichnen. Sind Sie einverstanden? Sie können es sich jederzeit anders \
                 überlegen.",
    agree: "Einverstanden",
    disagree: "Nein",
    tools: "Anruf",
    mute: "Stumm",
    camera_off: "Kamera aus",
    screenshot: "Bild aufnehmen",
    record: "Aufzeichnen",
    consent: "Ich bin mit Aufzeichnungen einverstanden",
    hang_up: "Auflegen",
    pictures: "Bilder dieses Anrufs",
    again: "Wieder beitreten",
    said: &[
        ("waiting", "Wir warten auf die andere Seite …"),
        ("connecting", "Verbindung wird aufgebaut …"),
        ("reconnecting", "Die Verbindung ist abgerissen und wird wieder aufgebaut …"),
        (
            "denied",
            "Diese Seite darf Kamera oder Mikrofon nicht benutzen. Erlauben Sie es in den Einstellungen Ihres Browsers \
                    für diese Adresse, und treten Sie dann wieder bei.",
        ),
        ("noCamera", "Es wurde keine Kamera gefunden."),
        ("cameraBusy", "Kamera oder Mikrofon wird von einem anderen Programm benutzt."),
        ("noMedia", "Weder Kamera noch Mikrofon lassen sich benutzen."),
        ("insecure", "Browser lassen Anrufe nur über https zu."),
        ("noSession", "Diese Adresse nennt keinen Anruf. Bitte öffnen Sie den Link, den Sie bekommen haben."),
        ("notIn", "Bitte scannen Sie erst den Code am Gerät, und öffnen Sie diesen Link dann noch einmal."),
        ("notFound", "Diesen Anruf gibt es nicht, oder er ist nicht für Sie."),
        ("over", "Dieser Anruf ist vorbei. Er kann von Mitarbeitern wieder geöffnet werden."),
        ("notConfirmed", "Dieser Anruf ist noch nicht bestätigt. Bitte versuchen Sie es später noch einmal."),
        ("sideTaken", "Jemand anderes ist schon in diesem Anruf."),
        ("hangingUp", "Es wird aufgelegt …"),
        (
            "otherProvider",
            "Dieser Anruf wird nicht auf dieser Seite geführt: Bitte benutzen Sie die App, mit der Sie eingeladen wurden.",
        ),
        ("callEnded", "Der Anruf ist vorbei."),
        ("replaced", "Der Anruf geht in einem anderen Fenster weiter."),
        ("linkOver", "Dieser Link gilt nicht mehr. Bitte öffnen Sie den Anruf noch einmal."),
        ("broken", "Der Anruf ist abgerissen."),
        ("notNow", "Das geht gerade nicht: Die Verbindung wird wieder aufgebaut."),
        ("asksConsent", "Die andere Seite wird gefragt, ob der Anruf aufgezeichnet werden darf."),
        ("noConsent", "Der Anruf wird nur aufgezeichnet, wenn beide Seiten einverstanden sind."),
        ("refused", "Das wurde abgelehnt."),
        ("nothingToSee", "Es gibt kein Bild der anderen Seite."),
        ("otherTook", "Die andere Seite hat ein Bild aufgenommen. Sie finden es unten."),
        ("savePicture", "Bild des Anrufs: sichern"),
        ("saving", "Eine Aufzeichnung oder ein Bild wird gesichert. Bitte lassen Sie diese Seite offen."),
        ("saved", "Gesichert. Es wird bei diesem Anruf aufbewahrt."),
        ("notSaved", "Eine Aufzeichnung oder ein Bild konnte nicht gesichert werden."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_things_and_all_that_the_scripts_say() {
        let names = |words: &Words| words.said.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(&ENGLISH), names(&GERMAN));
        let script = include_str!("call.js");
        for name in names(&ENGLISH) {
            let is_said = [format!("\"{name}\""), format!("words.{name}")];
            assert!(is_said.iter().any(|said| script.contains(said.as_str())), "{name} is never said");
        }
    }
}
